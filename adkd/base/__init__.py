"""The foundation of every room: errors, files, devices, seeds. Depends on no other room and imports no torch."""
