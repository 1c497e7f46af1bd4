"""Forecasts of many series: ARIMA, exponential smoothing and Theta, weighed by back-tests, that add up."""
