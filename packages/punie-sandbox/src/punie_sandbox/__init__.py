"""Run what a model wrote: typed host functions, checked before they run, contained, resumable, previewable."""
