"""Says how many reminders go out."""

OVERDUE = [31, 45, 60]
print(f"{len(OVERDUE)} reminders, longest {max(OVERDUE)} days")
