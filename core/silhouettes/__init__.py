"""One step at each silhouette of soft depth: find the ramps, choose the sure ones, label both sides, continue each surface."""
