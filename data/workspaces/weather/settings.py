"""Settings of the station."""

STATION_NAME: str = "Garden"
INTERVAL_SECONDS: int = "300"
MAX_TEMPERATURE = 55.0
MIN_TEMPERATURE = -40.0
LOG_FILE = "data/readings.csv"
