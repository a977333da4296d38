"""What both studies are made of."""
