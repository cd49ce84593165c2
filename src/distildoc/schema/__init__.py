"""Records that every floor shares: pages, labels, preprocessing, predictions, bundles, reports. No torch."""
