"""Who gets which papers, and why: subscriptions, ranking, composition."""
