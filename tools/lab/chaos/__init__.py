"""`./dev chaos`: kills, restarts and promotes under load, and audits."""
