module webapp

go 1.26.0
