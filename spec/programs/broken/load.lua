error("cannot even load")
