/// Tidegate's own version, as every executable and report states it.
public enum Version {
    public static let current = "0.1.0"
}
