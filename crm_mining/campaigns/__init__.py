"""What a campaign changes: uplift."""
