import ArgumentParser
import Commands
import Formats
import Live

/// Where a process finds its certificate and whom it trusts.
struct TLSArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The certificate in PEM, with this process's role in it.", valueName: "file"))
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key in PEM.", valueName: "file"))
    var tlsKey: String?
    @Option(help: ArgumentHelp("The authority in PEM whose certificates peers must show.", valueName: "file"))
    var tlsCa: String?

    func validate() throws {
        let given = [tlsCertificate, tlsKey, tlsCa].count { $0 != nil }
        guard given == 0 || given == 3 else {
            throw ValidationError("--tls-certificate, --tls-key and --tls-ca go together: give all three or none")
        }
    }

    /// What the files hold; `nil` without any. They are read again when they change.
    ///
    /// - Throws: An exit code, after the reason was printed.
    func material(as role: PeerRole, output: EventOutput) throws -> TLSMaterial? {
        guard let tlsCertificate, let tlsKey, let tlsCa else { return nil }
        do throws(TLSMaterial.Problem) {
            return try TLSMaterial(TLSFileNames(certificate: tlsCertificate, key: tlsKey, authority: tlsCa), as: role)
        } catch {
            output.alert("\(error)")
            throw ExitCode(ofReading: error.file)
        }
    }
}
