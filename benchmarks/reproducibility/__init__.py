"""Is a version that is made again the same, byte for byte, with one thread and with two?"""
