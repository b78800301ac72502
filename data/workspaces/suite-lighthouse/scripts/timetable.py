"""Prints tonight's timetable."""

LAMPS = ["north", "middle", "south"]

for number, name in enumerate(LAMPS):
    print(f"{name}: 22:{number * 10:02d}")
