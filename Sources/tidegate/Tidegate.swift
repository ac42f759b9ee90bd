import ArgumentParser

@main
struct Tidegate: ParsableCommand {}
