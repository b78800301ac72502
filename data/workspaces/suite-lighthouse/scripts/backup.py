"""Says what a backup would copy."""

FOLDERS = ["log", "charts"]
print(f"would copy {len(FOLDERS)} folders")
