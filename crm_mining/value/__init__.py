"""What a customer will buy and is worth."""
