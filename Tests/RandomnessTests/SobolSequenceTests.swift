import Randomness
import Testing

@Suite struct SobolSequenceTests {
    @Test func `the first points are the published ones`() {
        // Bratley and Fox 1988 in Antonov and Saleev's order, without the origin.
        let sequence = SobolSequence(dimensions: 2)
        #expect(
            (0..<7).map { _ in sequence.next() } == [
                [0.5, 0.5], [0.75, 0.25], [0.25, 0.75], [0.375, 0.375], [0.875, 0.875], [0.625, 0.125], [0.125, 0.625],
            ])
    }

    @Test(arguments: [1, 3, 40])
    func `with the origin, every interval of every axis holds one point`(dimensions: Int) {
        let sequence = SobolSequence(dimensions: dimensions)
        let points = (0..<63).map { _ in sequence.next() } + [Array(repeating: 0.0, count: dimensions)]
        for axis in 0..<dimensions {
            #expect(Set(points.map { Int($0[axis] * 64) }) == Set(0..<64), "axis \(axis)")
        }
        #expect(points.dropLast().joined().allSatisfy { 0 < $0 && $0 < 1 })
    }
}
