"""Values repaired, gaps filled, outliers marked."""
