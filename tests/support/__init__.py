"""What the tests share: a chain, a hub on it, and people with wallets. Nothing here uses the service's own signing code."""
