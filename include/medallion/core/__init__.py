"""What every other room stands on: text, values, files. Imports nothing of Medallion but its errors."""
