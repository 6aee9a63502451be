"""The magics of notebooks: what runs a cell that is not Python, and the line magics of Python cells. Task process."""
