"""Files of layers, for programs that paint and composite: PNG folder, Photoshop, OpenRaster, OpenEXR."""
