"""What lies on or around the picture: black bars, logos, scoreboards."""
