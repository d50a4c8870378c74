"""What the appliance makes on the host outside its own folder."""
