"""The snap runtime: what snapd and systemd do for the snap, on a host that has neither."""
