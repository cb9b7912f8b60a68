"""What a release is made with: audit, licences, and its files."""
