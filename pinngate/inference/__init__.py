"""What a fit knows of itself: leave-one-out risk, posterior, kernel spectrum, misfit."""
