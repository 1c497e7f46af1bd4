"""Who is who: the match model, the clusters of records, how good they are."""
