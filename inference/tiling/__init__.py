"""How a picture is cut into tiles, and the result put together, in bounded memory."""
