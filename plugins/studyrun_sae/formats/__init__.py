"""Foreign SAE files: what lies where (light, JSON only), and reading and writing each format."""
