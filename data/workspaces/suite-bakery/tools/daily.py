"""Prints what is baked today."""

print("rye 40")
print("plain 65")
print("total 105")
