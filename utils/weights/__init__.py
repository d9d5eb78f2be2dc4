"""Reading and writing weight files of every framework, without any of them."""
