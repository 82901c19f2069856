"""How real programs reach the kernel: notifications, ptrace, memory, placeholders."""
