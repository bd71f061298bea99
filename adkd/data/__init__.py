"""What is learned from: tasks, where their data comes from, how it is batched."""
