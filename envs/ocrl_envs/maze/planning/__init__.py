"""Planning: which things to visit, how far they are, how to drive there in the true dynamics."""
