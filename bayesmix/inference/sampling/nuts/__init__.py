from bayesmix.inference.sampling.nuts.compile_directory import find_compile_directory

find_compile_directory()
