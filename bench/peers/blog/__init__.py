"""Files and certificates as blog posts about asynchronous Django write them, on stock Django."""
