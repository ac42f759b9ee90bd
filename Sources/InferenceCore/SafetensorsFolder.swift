#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The tensors of a Hugging Face model folder: `model.safetensors`, or the shards that its index lists.
final class SafetensorsFolder {
    /// In order of the files.
    let names: [String]
    private let folder: String
    private let files: [String: SafetensorsFile]

    private struct Index: Decodable {
        var weightMap: [String: String]

        enum CodingKeys: String, CodingKey {
            case weightMap = "weight_map"
        }
    }

    /// - Throws: ``ModelFileError`` that names the file, and the tensor where one is to blame.
    init(_ folder: String) throws(ModelFileError) {
        self.folder = folder
        let index = folder + "/model.safetensors.index.json"
        var shards = ["model.safetensors"]
        var map: [String: String] = [:]
        if !FileManager.default.fileExists(atPath: folder + "/model.safetensors"),
            FileManager.default.fileExists(atPath: index)
        {
            map = try SafetensorsFolder.index(index)
            shards = Set(map.values).sorted()
        }
        var files: [String: SafetensorsFile] = [:]
        var names: [String] = []
        for shard in shards {
            let file = try SafetensorsFile(folder + "/" + shard)
            for tensor in file.tensors {
                guard map.isEmpty || map[tensor.name] == shard, files[tensor.name] == nil else {
                    throw ModelFileError(
                        file: folder + "/" + shard, part: tensor.name, problem: "is not what the index has here")
                }
                files[tensor.name] = file
                names.append(tensor.name)
            }
        }
        self.files = files
        self.names = names
    }

    /// The shard of each tensor.
    private static func index(_ path: String) throws(ModelFileError) -> [String: String] {
        let map: [String: String]
        do {
            map = try JSONDecoder().decode(
                Index.self, from: Data(try ModelFile.contents(of: path, limit: 64 << 20))
            ).weightMap
        } catch let error as DecodingError {
            throw ModelFileError(file: path, problem: error.reason)
        } catch let error as ModelFileError {
            throw error
        } catch {
            throw ModelFileError(file: path, problem: "is no readable JSON")
        }
        for name in map.keys.sorted() where map[name]!.contains("/") || !map[name]!.hasSuffix(".safetensors") {
            throw ModelFileError(file: path, part: name, problem: "is in '\(map[name]!)', no file of the folder")
        }
        return map
    }

    func stored(_ name: String, shape: [Int]) throws(ModelFileError) -> StoredTensor {
        guard let file = files[name] else {
            throw ModelFileError(file: folder, part: name, problem: "is not in the model")
        }
        return try file.stored(name, shape: shape)
    }

    /// - Throws: ``ModelFileError`` when a file was written to since it was opened.
    func checkUnchanged() throws(ModelFileError) {
        // Each file comes up for each of its tensors; the call is cheap.
        for name in names { try files[name]!.file.checkUnchanged() }
    }
}
