"""Problems on text, from a source whose entropy is known."""
