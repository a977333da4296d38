"""The transfer study: agents compared on mazes that they have not seen."""
