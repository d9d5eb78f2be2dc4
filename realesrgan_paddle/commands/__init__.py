"""What commands do: each reads its flags, runs one job, prints the result and the next step."""
