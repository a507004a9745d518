"""How digests leave the house: outbox, delivery, schedule, and the port that platforms fill."""
