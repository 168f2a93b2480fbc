"""Photos of people who do not exist, with complete truth: heads, hair, light, cameras, a tracer."""
