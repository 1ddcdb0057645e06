"""A registered version as one ONNX file: preparation, model and decision in one graph. Start reading at `onnx_file.py`."""
