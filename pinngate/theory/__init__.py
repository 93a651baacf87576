"""What a run learned and what it left alone: kernel, Gramian, drift, risk, spectrum."""
