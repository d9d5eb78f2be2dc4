"""The machine: processors, memory, devices, and the processes of one training."""
