"""Images and text to vectors: named, versioned encoders that work beside the data and need no network."""
