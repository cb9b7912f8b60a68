-- The image makes the ledger's database; the notifier keeps its deliveries in one of its own.
CREATE DATABASE notifier;
